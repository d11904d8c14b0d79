{{ rows_of_relation('order_lines') }}
