{{ rows_of_seed('adoption') }}
