with recursive

candidates as (
    select * from {{ ref('int_contracts__candidates') }}
),

-- A pair that both of its lines prefer is taken; what its lines could have renewed otherwise goes. Then again, until no pair is left:
-- the same pairs as taking the most preferred one of all, one after the other. Where many lines are equally close to as many others, they are
-- taken at once, the first with the first.
rounds as (
    select
        order_line_id,
        renewed_order_line_id,
        account_id,
        product_id,
        closeness,
        preference,
        false as is_taken
    from candidates
    where not is_only_choice
    union all
    select
        order_line_id,
        renewed_order_line_id,
        account_id,
        product_id,
        closeness,
        preference,
        is_chosen as is_taken
    from (
        select
            *,
            max(is_chosen) over (partition by order_line_id) or max(is_chosen) over (partition by renewed_order_line_id) as is_decided
        from (
            select
                *,
                is_mutual
                or (
                    place = renewed_place
                    and min(is_closest) over equally_close
                    -- Each of the lines could renew each of the others.
                    and count(*) over equally_close
                    = count(*) filter (where place = 1) over equally_close * count(*) filter (where renewed_place = 1) over equally_close
                ) as is_chosen
            from (
                select
                    *,
                    preference = min(preference) over (partition by order_line_id)
                    and preference = min(preference) over (partition by renewed_order_line_id) as is_mutual,
                    closeness = min(closeness) over (partition by order_line_id)
                    and closeness = min(closeness) over (partition by renewed_order_line_id) as is_closest,
                    row_number() over (partition by renewed_order_line_id, closeness order by preference) as place,
                    row_number() over (partition by order_line_id, closeness order by preference) as renewed_place
                from rounds
                where not is_taken
            ) as compared
            window equally_close as (partition by account_id, product_id, closeness)
        ) as chosen
    ) as decided
    where is_chosen or not is_decided
)

select
    order_line_id,
    order_id,
    renewed_order_line_id,
    starts_on
from candidates
where is_only_choice
union all
select
    candidates.order_line_id,
    candidates.order_id,
    candidates.renewed_order_line_id,
    candidates.starts_on
from candidates
inner join rounds
    on
        candidates.order_line_id = rounds.order_line_id
        and candidates.renewed_order_line_id = rounds.renewed_order_line_id
where rounds.is_taken
