{{ accepted_rows('account_external_ids') }}
