//! A node's process from its start to its end: data directory, keys, threads, ports, signals.

use crate::control::{self, Control};
use crate::devices::LocalDevices;
use crate::directory::{Directory, Place};
use crate::http::{self, Pages, Service};
use crate::identity::{ClusterKeys, NodeKeys, parse_pem};
use crate::inbox::Inbox;
use crate::internal::Internal;
use crate::listening::Addresses;
use crate::metrics::Metrics;
use crate::node_thread;
use crate::options::{self, Options};
use crate::postgres::SqlServer;
use crate::shared::Shared;
use crate::starting_anew;
use crate::transport::join::{self, Doorkeeper, Newcomer, PeerRecord};
use crate::transport::links::Links;
use crate::transport::{self, Transport, tls};
use base::{Error, Result, SqlState};
use node::NodeConfig;
use node::event::Event;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

/// Stack of a thread that moves bytes.
const STACK_BYTES: usize = 512 << 10;
const IO_THREADS_MAX: usize = 4;
/// How long a stop waits for the node to hand over what it leads and to end its sessions.
const STOP_MAX: Duration = Duration::from_secs(15);
/// How long threads may take to end after that.
const THREADS_MAX: Duration = Duration::from_millis(500);
const MEMORY_BYTES_MIN: u64 = 32 << 20;
const MEMORY_BYTES_DEFAULT: u64 = 1 << 30;

/// Runs a node until it is told to stop.
///
/// # Errors
/// Why it could not start, or had to stop.
pub fn run(options: Options) -> Result<()> {
    raise_file_limit();
    starting_anew::wait_for_space(&options.data);
    let runtime = runtime()?;
    let outcome = runtime.block_on(serve(&runtime, options));
    runtime.shutdown_timeout(THREADS_MAX);
    outcome
}

fn runtime() -> Result<Runtime> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads((cores / 2).clamp(1, IO_THREADS_MAX))
        .max_blocking_threads(8)
        .thread_stack_size(STACK_BYTES)
        .thread_name("io")
        .enable_all()
        .build()
        .map_err(|error| Error::new(SqlState::INSUFFICIENT_RESOURCES, format!("threads could not be started: {error}")))
}

async fn serve(runtime: &Runtime, options: Options) -> Result<()> {
    let directory = Directory::lock(&options.data)?;
    let addresses = Addresses::bind(&options)?;
    let place = settle(&directory, &options, &addresses).await?;
    let keys = ClusterKeys::load(&options.data)?;
    let node_keys = keys.issue(place.node, &addresses.hosts())?;
    let own = addresses.record(place.node, &options);

    let (inbox, metrics, shared) = (Arc::new(Inbox::default()), Arc::new(Metrics::default()), Arc::new(Shared::new()));
    let links = Arc::new(Links::new(options.locality.clone()));
    let sockets = node_thread::shared_runtime().map_err(|error| Error::new(SqlState::INSUFFICIENT_RESOURCES, error.to_string()))?;
    let near = sockets.as_ref().map(|runtime| runtime.handle().clone());
    let for_peers = near.clone().unwrap_or_else(|| runtime.handle().clone());
    let transport = Transport::new(for_peers.clone(), &keys, &node_keys, Arc::clone(&links), Arc::clone(&inbox), Arc::clone(&metrics))?;
    let transport = Arc::new(transport);
    if options.control == options::Control::Stdin {
        let control = Control { links: Arc::clone(&links), shared: Arc::clone(&shared), inbox: Arc::clone(&inbox) };
        control.listen().map_err(|error| Error::new(SqlState::INSUFFICIENT_RESOURCES, error.to_string()))?;
    }
    let server = SqlServer::new(
        Arc::clone(&inbox),
        Arc::clone(&shared.credentials),
        Some(client_tls(&options, &node_keys, tls::POSTGRESQL)?),
        Arc::clone(&metrics),
        links.gate(),
        options.connections_max as usize,
    );
    let server = Arc::new(server.serve_on(near));

    let memory_bytes = options.memory_bytes.unwrap_or_else(default_memory).max(MEMORY_BYTES_MIN);
    let (devices, files, stores) = LocalDevices::open(&directory, memory_bytes, Arc::clone(&inbox), Arc::clone(&metrics))?;
    let config = config_of(&place, &options, &own, memory_bytes, &keys);
    let mut stopped = shared.stopped.subscribe();
    let start = node_thread::Start {
        config,
        files: Box::new(files),
        stores,
        devices,
        inbox: Arc::clone(&inbox),
        transport: Arc::clone(&transport),
        shared: Arc::clone(&shared),
        metrics: Arc::clone(&metrics),
        sockets,
    };
    let opened = node_thread::spawn(start).map_err(|error| Error::new(SqlState::INSUFFICIENT_RESOURCES, error.to_string()))?;
    opened.await.map_err(|_| Error::internal("the node's thread ended while it was opened"))??;
    directory.opened()?;

    let acceptor = TlsAcceptor::from(Arc::new(tls::acceptor(&keys, &node_keys)?));
    let doorkeeper =
        Doorkeeper { keys, internal: Internal { server: Arc::clone(&server) }, members: Arc::clone(&shared.members), own: own.clone() };
    let mut expelled = transport.expelled.subscribe();
    for_peers.spawn(transport::listen(transport, addresses.nodes, acceptor, Arc::new(doorkeeper)));
    tokio::spawn(Arc::clone(&server).listen(addresses.clients));
    let http_address = match &options.http_listen {
        Some(address) => Some(
            serve_http(address, Pages { own: own.clone(), server, shared, metrics }, client_tls(&options, &node_keys, tls::HTTP)?).await?,
        ),
        None => None,
    };
    announce(&options, &own, http_address.as_deref());
    wait_for_end(&inbox, &mut stopped, &mut expelled).await
}

fn config_of(place: &Place, options: &Options, own: &PeerRecord, memory_bytes: u64, keys: &ClusterKeys) -> NodeConfig {
    NodeConfig {
        node: place.node,
        boot: place.boot,
        locality: options.locality.clone(),
        address: own.address.clone(),
        sql_address: own.sql_address.clone(),
        seed: u64::from_ne_bytes(crate::postgres::credentials::random()),
        shards: place.shards,
        start: place.start.clone(),
        memory_bytes,
        sizes: node::config::Sizes::default(),
        evidence: keys.evidence(),
    }
}

/// Answers the address at which HTTP is served.
async fn serve_http(address: &str, pages: Pages, tls: TlsAcceptor) -> Result<String> {
    let listener = http::bind(address).await?;
    let bound = listener.local_addr().map_or_else(|_| address.to_owned(), |bound| bound.to_string());
    tokio::spawn(Arc::new(Service::new(pages, tls)).listen(listener));
    Ok(bound)
}

fn client_tls(options: &Options, node_keys: &NodeKeys, protocol: &[u8]) -> Result<TlsAcceptor> {
    let (chain, key) = match &options.tls_files {
        Some((certificate, key)) => parse_pem(&read(certificate)?, &read(key)?)?,
        None => node_keys.parse()?,
    };
    Ok(TlsAcceptor::from(Arc::new(tls::for_clients(chain, key, protocol)?)))
}

/// Says that the node serves, and where.
fn announce(options: &Options, own: &PeerRecord, http_address: Option<&str>) {
    let (host, port) = own.sql_address.rsplit_once(':').unwrap_or((&own.sql_address, ""));
    tracing::info!(
        node = own.node.0,
        place = %own.locality,
        data = %options.data.display(),
        "PostgreSQL on {}, nodes on {}; try: psql -h {host} -p {port} -U florin florin",
        own.sql_address,
        own.address,
    );
    if options.control == options::Control::Stdin {
        control::say(&serde_json::json!({ "ready": {
            "node": own.node.0, "address": own.address, "sql_address": own.sql_address, "http_address": http_address,
        }}));
    }
}

/// Makes sure that the directory belongs to a node of a cluster, and says which.
async fn settle(directory: &Directory, options: &Options, addresses: &Addresses) -> Result<Place> {
    if directory.is_new()? {
        match &options.join {
            Some(join) => {
                let newcomer = Newcomer {
                    address: addresses.advertise.clone(),
                    sql_address: addresses.sql_advertise.clone(),
                    locality: options.locality.clone(),
                };
                let membership = join::join(join, &newcomer).await?;
                membership.keys.save(&options.data)?;
                directory.make_member(&membership.keys.cluster, membership.node, membership.peers)?;
            }
            None => crate::make_cluster(directory, base::locality::LocalityMode::Single, None).map(drop)?,
        }
    } else if let Some(join) = &options.join {
        // A node that was restarted with the arguments of its first start.
        directory.must_belong_to(&join.token, &ClusterKeys::load(&options.data)?)?;
    }
    directory.start()
}

async fn wait_for_end(inbox: &Inbox, stopped: &mut watch::Receiver<bool>, expelled: &mut watch::Receiver<bool>) -> Result<()> {
    let no_signals = |error: io::Error| Error::new(SqlState::INSUFFICIENT_RESOURCES, format!("signals cannot be received: {error}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(no_signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(no_signals)?;
    let removed = tokio::select! {
        _ = stopped.wait_for(|stopped| *stopped) => return Ok(()),
        _ = interrupt.recv() => {
            tracing::info!("interrupted: stopping at once; what was acknowledged is in the log");
            return Ok(());
        }
        _ = expelled.wait_for(|expelled| *expelled) => true,
        _ = terminate.recv() => false,
    };
    if removed {
        // Nothing here counts any more: it only says goodbye to its clients.
        inbox.event(Event::Drain);
        let _ = tokio::time::timeout(STOP_MAX, stopped.wait_for(|stopped| *stopped)).await;
        return Err(Error::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, "this node was removed from its cluster")
            .with_hint("to use the machine again, start it with an empty directory (--data), --join and --token"));
    }
    tracing::info!("told to stop: handing over what this node leads");
    inbox.event(Event::Drain);
    tokio::select! {
        _ = tokio::time::timeout(STOP_MAX, stopped.wait_for(|stopped| *stopped)) => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

fn read(path: &std::path::Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| Error::new(SqlState::IO_ERROR, format!("{} could not be read: {error}", path.display())))
}

/// A quarter of the machine's memory.
fn default_memory() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = text.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kib.map_or(MEMORY_BYTES_DEFAULT, |kib| kib * 1024 / 4)
}

/// Each connection is a file: allow as many as the system does.
#[allow(unsafe_code, reason = "resource limits have no safe interface in the standard library")]
fn raise_file_limit() {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: both calls only read or write the structure they are given, which lives across them.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) == 0 && limit.rlim_cur < limit.rlim_max {
            limit.rlim_cur = limit.rlim_max;
            // A refusal leaves the limit as it is, and connections beyond it are told.
            libc::setrlimit(libc::RLIMIT_NOFILE, &limit);
        }
    }
}
