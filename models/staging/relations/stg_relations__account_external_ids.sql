{{ rows_of_relation('account_external_ids') }}
