{{ rows_of_relation('opportunity_stages') }}
