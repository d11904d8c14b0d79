select
    cast(cutoff as string) as cutoff,
    cast(scorer as string) as scorer,
    cast(measure as string) as measure,
    cast(share as double) as share,
    cast(nullif(note, '') as string) as note,
    cast(value as double) as value,
    cast(low as double) as low,
    cast(high as double) as high,
    cast(pursuits as integer) as pursuit_count,
    cast(wins as integer) as won_pursuit_count,
    cast(learned_pursuits as integer) as learned_pursuit_count,
    cast(won_value as decimal(18, 4)) as won_value,
    cast(spend as decimal(18, 4)) as spend_amount,
    cast(accounts as integer) as account_count
from {{ ref('learned_backtest') }}
