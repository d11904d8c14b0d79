{{ rows_of_relation('campaign_spend') }}
