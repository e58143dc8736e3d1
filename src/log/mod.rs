//! Logs: where they go, in which form, and the access line of each message.
//!
//! Under systemd lines begin with their priority, which journald takes off, and have no time, which it adds. What comes
//! from outside (an SMSC's words, a far end's reasons) cannot begin a line of its own: control characters are written as
//! escapes. Subscribers' numbers and texts are in no line; `tests/logs.rs` listens for them.

pub mod access;
pub mod config;

use std::fmt;
use std::io;

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::{Format, FormatEvent, FormatFields, Full, Writer};
use tracing_subscriber::fmt::{FmtContext, MakeWriter};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Registry, reload};

use config::{LogConfig, Target};

/// Changes what is logged while the process runs.
#[derive(Clone)]
pub struct Tap {
    filter: reload::Handle<EnvFilter, Registry>,
}

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter is none.
    #[error("{filter:?} is no filter for logs ({why}); write a level, as in \"info\"")]
    Filter {
        /// What was given.
        filter: String,
        /// What is wrong with it.
        why: String,
    },
}

fn filter(config: &LogConfig, filter: Option<&str>) -> Result<EnvFilter, LogError> {
    let written = filter.unwrap_or(&config.filter);
    // Access lines are told apart by their target, so that each can be had without the other.
    let access = if config.access { "info" } else { "off" };
    let parsed = EnvFilter::try_new(written).map(|parsed| {
        match format!("{}={access}", access::TARGET).parse() {
            Ok(directive) => parsed.add_directive(directive),
            Err(_) => parsed,
        }
    });
    parsed.map_err(|why| LogError::Filter {
        filter: written.to_owned(),
        why: why.to_string(),
    })
}

/// Begins to log; `override_filter` is what the command line said. A second call in one process (a test) keeps the first
/// one's log.
pub fn begin(config: &LogConfig, override_filter: Option<&str>) -> Result<Tap, LogError> {
    let (layer, handle) = reload::Layer::new(filter(config, override_filter)?);
    let to_journal = match config.to {
        Target::Journald => true,
        Target::Stderr => false,
        // systemd says which device and inode its stream is; that it is set at all tells that it is there.
        Target::Auto => std::env::var_os("JOURNAL_STREAM").is_some(),
    };
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(false)
        .event_format(Lines::new(to_journal));
    let _already_set = tracing_subscriber::registry()
        .with(layer)
        .with(lines)
        .try_init();
    Ok(Tap { filter: handle })
}

impl Tap {
    /// Takes up another configuration.
    pub fn change(&self, config: &LogConfig) -> Result<(), LogError> {
        let filter = filter(config, None)?;
        // The log of a test that was not the first is not in use.
        let _not_in_use = self.filter.reload(filter);
        Ok(())
    }
}

/// A subscriber that writes its lines elsewhere, all of them; for tests that listen.
pub fn listening<W>(writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(writer)
        .with_ansi(false)
        .event_format(Lines::new(false));
    tracing_subscriber::registry().with(lines)
}

/// The form of a line.
struct Lines {
    to_journal: bool,
    timed: Format<Full>,
    bare: Format<Full, ()>,
}

impl Lines {
    fn new(to_journal: bool) -> Self {
        let form = Format::default().with_ansi(false);
        Self {
            to_journal,
            timed: form.clone(),
            bare: form.with_level(false).without_time(),
        }
    }
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = String::new();
        if self.to_journal {
            write!(writer, "<{}>", priority(event.metadata().level()))?;
            self.bare
                .format_event(context, Writer::new(&mut line), event)?;
        } else {
            self.timed
                .format_event(context, Writer::new(&mut line), event)?;
        }
        for character in line.trim_end().chars() {
            if character.is_control() {
                write!(writer, "{}", character.escape_default())?;
            } else {
                writer.write_char(character)?;
            }
        }
        writer.write_char('\n')
    }
}

/// syslog's numbers.
fn priority(level: &Level) -> u8 {
    match *level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        Level::DEBUG | Level::TRACE => 7,
    }
}
