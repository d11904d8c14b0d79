select * from read_csv('{{ env_var('CRM_EXPORTS') }}/order_lines.csv', all_varchar = true, header = true, nullstr = '')
