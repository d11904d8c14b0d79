{{ rows_of_relation('account_attributes') }}
