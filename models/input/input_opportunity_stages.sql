{{ accepted_rows('opportunity_stages') }}
