-- Has the name of a mart of the package, which must not read it.
select 1 as something_else
