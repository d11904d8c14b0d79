with

contacts as (
    select
        contacts.contact_id,
        accounts.resolved_account_id as account_id,
        concat(' ', translate({{ lower_case('contacts.job_title') }}, ',./-&()', '       '), ' ') as job_title,
        contacts.created_at
    from {{ ref('input_contacts') }} as contacts
    inner join {{ ref('int_accounts__in_scope') }} as accounts on contacts.account_id = accounts.account_id
    where contacts.job_title is not null
),

-- Titles repeat: each distinct one is read once.
titles as (
    select distinct job_title from contacts
),

title_roles as (
    select distinct
        titles.job_title,
        roles.role_kind,
        roles.role
    from titles
    inner join {{ ref('job_title_roles') }} as roles on position(concat(' ', roles.pattern, ' ') in titles.job_title) > 0
)

select
    contacts.contact_id,
    contacts.account_id,
    title_roles.role_kind,
    title_roles.role,
    contacts.created_at
from contacts
left join title_roles on contacts.job_title = title_roles.job_title
