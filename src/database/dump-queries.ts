/**
 * One query for each kind of thing, each answering rows of one `text`, in a fixed order: names are
 * compared by byte. What an extension brought along belongs to the extension and is left out.
 */
export const DUMP_QUERIES: Readonly<Record<string, string>> = {
  Extensions: `
    select format('create extension %I;', extname) as text
    from pg_extension where extname <> 'plpgsql'
    order by extname collate "C"`,

  Types: `
    select case t.typtype
      when 'e' then format(E'create type %I as enum (\\n  %s\\n);', t.typname, (
        select string_agg(quote_literal(enumlabel), E',\\n  ' order by enumsortorder)
        from pg_enum where enumtypid = t.oid))
      when 'd' then concat(
        format('create domain %I as %s', t.typname, format_type(t.typbasetype, t.typtypmod)),
        ' default ' || t.typdefault,
        case when t.typnotnull then ' not null' end,
        (select string_agg(format(E'\\n  constraint %I %s', conname, pg_get_constraintdef(oid)),
                           '' order by conname collate "C")
         from pg_constraint where contypid = t.oid and contype = 'c'),
        ';')
      else format('create type %I;  -- kind %s', t.typname, t.typtype) end || E'\\n' as text
    from pg_type t
    left join pg_class c on c.oid = t.typrelid
    where t.typnamespace = 'public'::regnamespace and t.typtype in ('e', 'd', 'r', 'c')
      and (c.oid is null or c.relkind = 'c')
      and ${notOfExtension("pg_type", "t.oid")}
    order by t.typname collate "C"`,

  Sequences: `
    select format('create sequence %I as %s start %s increment %s minvalue %s maxvalue %s%s;',
      c.relname, format_type(s.seqtypid, null), s.seqstart, s.seqincrement, s.seqmin, s.seqmax,
      case when s.seqcycle then ' cycle' end) as text
    from pg_sequence s join pg_class c on c.oid = s.seqrelid
    where c.relnamespace = 'public'::regnamespace
      and not exists (select from pg_depend where objid = c.oid and deptype = 'i')
    order by c.relname collate "C"`,

  Tables: `
    select concat(
      'create ', case c.relpersistence when 'u' then 'unlogged ' end,
      format(E'table %I (\\n  %s\\n)', c.relname, concat_ws(E',\\n  ', ${columns()}, ${constraints()})),
      ' partition by ' || pg_get_partkeydef(c.oid),
      case when c.relispartition then
        format(' partition of %s %s', (select inhparent::regclass from pg_inherits where inhrelid = c.oid),
               pg_get_expr(c.relpartbound, c.oid)) end,
      ' with (' || array_to_string(c.reloptions, ', ') || ')',
      case when c.relrowsecurity then ' /* row security */' end,
      E';\\n',
      (select string_agg(format(E'comment on %s is %L;\\n',
          case when d.objsubid = 0 then format('table %I', c.relname)
               else format('column %I.%I', c.relname, a.attname) end, d.description),
          '' order by a.attname collate "C" nulls first)
       from pg_description d
       left join pg_attribute a on a.attrelid = c.oid and a.attnum = d.objsubid and d.objsubid > 0
       where d.classoid = 'pg_class'::regclass and d.objoid = c.oid)) as text
    from pg_class c
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
      and ${notOfExtension("pg_class", "c.oid")}
    order by c.relname collate "C"`,

  Indexes: `
    select pg_get_indexdef(i.indexrelid) || case when i.indisvalid then ';' else '; -- invalid' end
      as text
    from pg_index i
    join pg_class c on c.oid = i.indexrelid
    join pg_class t on t.oid = i.indrelid
    where c.relnamespace = 'public'::regnamespace
      and not exists (select from pg_constraint where conindid = i.indexrelid and conrelid = i.indrelid)
      and ${notOfExtension("pg_class", "t.oid")}
    order by t.relname collate "C", c.relname collate "C"`,

  Views: `
    select format(E'create %sview %I as\\n%s\\n', case c.relkind when 'm' then 'materialized ' end,
      c.relname, pg_get_viewdef(c.oid, true)) as text
    from pg_class c
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('v', 'm')
      and ${notOfExtension("pg_class", "c.oid")}
    order by c.relname collate "C"`,

  Functions: `
    select rtrim(pg_get_functiondef(p.oid), E'\\n') || E';\\n' as text
    from pg_proc p
    where p.pronamespace = 'public'::regnamespace and p.prokind in ('f', 'p')
      and ${notOfExtension("pg_proc", "p.oid")}
    order by p.proname collate "C", pg_get_function_identity_arguments(p.oid) collate "C"`,

  Triggers: `
    select pg_get_triggerdef(g.oid)
      || case g.tgenabled when 'O' then ';' else '; -- enabled: ' || g.tgenabled::text end as text
    from pg_trigger g join pg_class c on c.oid = g.tgrelid
    where not g.tgisinternal and c.relnamespace = 'public'::regnamespace
    order by c.relname collate "C", g.tgname collate "C"`,

  Policies: `
    select format('create policy %I on %I for %s using (%s) with check (%s);', p.polname, c.relname,
      p.polcmd, pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)) as text
    from pg_policy p join pg_class c on c.oid = p.polrelid
    where c.relnamespace = 'public'::regnamespace
    order by c.relname collate "C", p.polname collate "C"`,
};

function columns(): string {
  return `(
    select string_agg(concat(
        format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod)),
        case when a.attcollation <> t.typcollation then
          format(' collate %s', a.attcollation::regcollation) end,
        case when a.attgenerated = 's' then
          format(' generated always as (%s) stored', pg_get_expr(d.adbin, d.adrelid))
        else ' default ' || pg_get_expr(d.adbin, d.adrelid) end,
        case a.attidentity when 'a' then ' generated always as identity'
                           when 'd' then ' generated by default as identity' end,
        case when a.attnotnull then ' not null' end), E',\\n  ' order by a.attnum)
    from pg_attribute a
    join pg_type t on t.oid = a.atttypid
    left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped)`;
}

/** From PostgreSQL 18 on `not null` is a constraint too (kind n); the columns show it already. */
function constraints(): string {
  return `(
    select string_agg(format('constraint %I %s', k.conname, pg_get_constraintdef(k.oid)),
      E',\\n  ' order by position(k.contype::text in 'pufxct'), k.conname collate "C")
    from pg_constraint k where k.conrelid = c.oid and k.contype <> 'n')`;
}

function notOfExtension(catalogue: string, oid: string): string {
  return `not exists (select from pg_depend where classid = '${catalogue}'::regclass
        and objid = ${oid} and deptype = 'e')`;
}
