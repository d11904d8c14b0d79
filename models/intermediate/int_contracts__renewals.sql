with recursive

candidates as (
    select * from {{ ref('int_contracts__candidates') }}
),

-- A pair that both of its lines prefer is taken; what its lines could have renewed otherwise goes. Then again, until no pair is left:
-- the same pairs as taking the most preferred one of all, one after the other.
rounds as (
    select
        order_line_id,
        renewed_order_line_id,
        preference,
        false as is_taken
    from candidates
    where not is_only_choice
    union all
    select
        order_line_id,
        renewed_order_line_id,
        preference,
        is_mutual as is_taken
    from (
        select
            *,
            max(is_mutual) over (partition by order_line_id) or max(is_mutual) over (partition by renewed_order_line_id) as is_decided
        from (
            select
                *,
                preference = min(preference) over (partition by order_line_id)
                and preference = min(preference) over (partition by renewed_order_line_id) as is_mutual
            from rounds
            where not is_taken
        ) as compared
    ) as decided
    where is_mutual or not is_decided
),

taken as (
    select
        order_line_id,
        renewed_order_line_id
    from rounds
    where is_taken
    union all
    select
        order_line_id,
        renewed_order_line_id
    from candidates
    where is_only_choice
)

select
    candidates.order_line_id,
    candidates.order_id,
    candidates.renewed_order_line_id,
    candidates.starts_on
from candidates
inner join taken
    on
        candidates.order_line_id = taken.order_line_id
        and candidates.renewed_order_line_id = taken.renewed_order_line_id
