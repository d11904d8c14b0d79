{{ rows_of_relation('orders') }}
