{{ rows_of_relation('exchange_rates') }}
