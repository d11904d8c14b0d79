{{ rows_of_relation('engagements') }}
