//! The rules of double entry: accounts, transfers, pending, limits. Pure functions.
