{{ rows_of_relation('products') }}
