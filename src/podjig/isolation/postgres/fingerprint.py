"""Whether a database's schema is what it was: a query that returns another text after any DDL.

A catalog's rows are as they were exactly if their number and the sum of their ``xmin`` are. ``pg_class`` is compared by
content: TRUNCATE and REFRESH give its rows a new ``xmin``, and are no DDL. What belongs to the system (oid < 16384) is
left out where catalogs are large: nobody alters it but on purpose.
"""

# ruff: noqa: S608  names of catalogs

from __future__ import annotations

_ALL = (
    "pg_extension",
    "pg_event_trigger",
    "pg_publication",
    "pg_publication_rel",
    "pg_policy",
    "pg_attrdef",
    "pg_enum",
    "pg_sequence",
    "pg_inherits",
    "pg_default_acl",
    "pg_largeobject_metadata",
    "pg_statistic_ext",
    "pg_foreign_data_wrapper",
    "pg_foreign_server",
    "pg_user_mapping",
    "pg_partitioned_table",
    "pg_transform",
)
_OURS = {
    "pg_attribute": "attrelid",
    "pg_type": "oid",
    "pg_proc": "oid",
    "pg_constraint": "oid",
    "pg_trigger": "oid",
    "pg_rewrite": "oid",
    "pg_index": "indexrelid",
    "pg_operator": "oid",
    "pg_opclass": "oid",
    "pg_cast": "oid",
    "pg_collation": "oid",
    "pg_conversion": "oid",
    "pg_ts_config": "oid",
    "pg_ts_dict": "oid",
    "pg_language": "oid",
}
_CLASS = (
    "relname, relnamespace, reltype, reloftype, relowner, relam, reltablespace, relpersistence, relkind, relnatts,"
    " relchecks, relhasrules, relhastriggers, relrowsecurity, relforcerowsecurity, relreplident, relispartition,"
    " relacl::text, reloptions::text, relpartbound::text"
)

_DIGEST = "SELECT count(*) || '/' || coalesce(sum(xmin::text::int8), 0) FROM"

FINGERPRINT = "concat_ws(',', {})".format(
    ", ".join(
        f"({query})"
        for query in (
            *(f"{_DIGEST} {name}" for name in _ALL),
            *(f"{_DIGEST} {name} WHERE {oid} >= 16384" for name, oid in _OURS.items()),
            f"{_DIGEST} pg_namespace WHERE nspname NOT LIKE 'pg\\_t%'",  # those of temporary tables come by themselves
            (
                f"{_DIGEST.replace('xmin', 's.xmin')} pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase"
                " WHERE datname = current_database()"
            ),
            (
                f"SELECT coalesce(sum(hashtext(concat_ws('|', oid, {_CLASS}))::int8), 0) FROM pg_class"
                " WHERE oid >= 16384 AND relpersistence <> 't'"
            ),
        )
    )
)
"""An expression of type text. Other objects' comments and privileges on system objects do not count."""
