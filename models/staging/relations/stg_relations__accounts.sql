{{ rows_of_relation('accounts') }}
