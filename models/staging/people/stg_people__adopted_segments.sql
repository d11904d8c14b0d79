{{ rows_of_seed('adopted_segments') }}
