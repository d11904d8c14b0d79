{{ rows_of_relation('campaign_members') }}
