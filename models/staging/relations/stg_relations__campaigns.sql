{{ rows_of_relation('campaigns') }}
