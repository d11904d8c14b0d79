{{ rows_of_seed('adopted_segment_rules') }}
