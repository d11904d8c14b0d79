{{ config(materialized='table', pre_hook="{{ read_malformed_lines() }}", post_hook="{{ stop_where_a_file_changed() }}") }}

select
    entity,
    line_number,
    line_text,
    fields
from malformed_lines
