{{ rows_of_seed('assumptions') }}
