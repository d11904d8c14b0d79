{{ rows_of_relation('opportunities') }}
