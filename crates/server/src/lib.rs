//! The shell: sockets, TLS, disk threads, timers, the PostgreSQL protocol, HTTP, metrics.
