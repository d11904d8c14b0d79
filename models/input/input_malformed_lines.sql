{{ config(materialized='table', pre_hook="{{ read_malformed_lines() }}") }}

select
    entity,
    line_number,
    line_text,
    fields
from malformed_lines
