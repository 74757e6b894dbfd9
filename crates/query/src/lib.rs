//! The vectorised engine (DataFusion) over snapshot scans, behind the seam of `sql::engine`.
