{{ rows_of_seed('excluded_accounts') }}
