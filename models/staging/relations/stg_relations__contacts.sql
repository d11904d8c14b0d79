{{ rows_of_relation('contacts') }}
