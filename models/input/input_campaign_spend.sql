{{ accepted_rows('campaign_spend') }}
