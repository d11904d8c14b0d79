{{ accepted_rows('engagements') }}
