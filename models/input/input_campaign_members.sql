{{ accepted_rows('campaign_members') }}
