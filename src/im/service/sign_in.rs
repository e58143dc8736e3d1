//! Signing in by challenge, taking a session up again, signing out (P1).

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::answers::Answers;
use super::draft::{Answer, Draft, Refusal};
use super::points::Point;
use super::{Caller, Service, mark};
use crate::clock::WallTime;
use crate::im::auth::{
    ARGON, HistoricalScheme, WhoAsks, check_historical, check_proof, is_same, mac, never_right,
    password_cost, server_proof, token_digest,
};
use crate::im::change::Change;
use crate::im::effects::Origin;
use crate::im::limits::MAX_SESSIONS_A_CONNECTION;
use crate::im::names::{ClientName, ConnectionId, Position, SchemeName, SessionId};
use crate::im::primitive::{Challenge, LogState, Login, Proof, Resume, SignedIn, Status};
use crate::im::record::{Credentials, Key, SessionRecord};
use crate::im::shelf::Shelved;
use crate::im::status::Code;
use crate::message::UserName;

/// What a user and a client are checked with; made up where there is none of that name, so that nothing tells.
struct Known {
    credentials: Credentials,
    client_key: Key,
    /// Both exist, and the user is not shut.
    is_real: bool,
}

impl Service {
    pub(super) fn login(
        &mut self,
        draft: &mut Draft<'_>,
        connection: ConnectionId,
        origin: Origin,
        login: Login,
    ) -> Answer {
        self.is_in_time(draft, Some(&login.user), origin)?;
        let known = self.known(draft, &login.user, &login.client)?;
        match &login.proof {
            None => self.challenge(draft, &login, &known),
            Some(proof) => {
                let server_proof = self.check(draft, origin, &login, proof, &known)?;
                self.begin(draft, connection, login, server_proof)
            }
        }
    }

    /// Refuses who has to wait after wrong tries.
    fn is_in_time(
        &self,
        draft: &Draft<'_>,
        user: Option<&UserName>,
        origin: Origin,
    ) -> Result<(), Refusal> {
        let now = draft.now.moment;
        let of_account = user.and_then(|user| self.slow_accounts.wait(user, now));
        match of_account.max(self.slow_origins.wait(&origin, now)) {
            None => Ok(()),
            Some(wait) => Err(Status::of(Code::WaitToSignIn).retry_after(wait).into()),
        }
    }

    fn known(&self, draft: &Draft<'_>, user: &UserName, client: &ClientName) -> Shelved<Known> {
        let record = draft.shelf.user(user)?;
        let credentials = draft.shelf.credentials(user)?;
        let client_record = draft.shelf.client(client)?;
        // Made in any case, so that it takes the same time.
        let salt = mac(&self.secret, &[b"salt", user.as_str().as_bytes()]);
        let made_up = never_right(password_cost(&self.config, &salt[..16]));
        let made_up_key = Key(mac(&self.secret, &[b"client", client.as_str().as_bytes()]));
        let is_open = record.is_some_and(|record| !record.is_shut);
        let is_real = is_open & credentials.is_some() & client_record.is_some();
        Ok(Known {
            credentials: credentials.unwrap_or(made_up),
            client_key: client_record.map_or(made_up_key, |record| record.key),
            is_real,
        })
    }

    fn challenge(&mut self, draft: &Draft<'_>, login: &Login, known: &Known) -> Answer {
        let Some(scheme) = login.schemes.iter().find(|scheme| self.is_on(scheme)) else {
            return Err(Status::of(Code::NoCommonScheme).at("schemes").into());
        };
        let who = WhoAsks {
            user: &login.user,
            client: &login.client,
            client_key: &known.client_key,
        };
        let challenge = Challenge {
            scheme: scheme.clone(),
            nonce: self.nonces.make(draft.now.wall, &mut self.chance, who),
            password: (scheme.as_str() == ARGON).then(|| known.credentials.password.clone()),
            good_for_ms: as_ms(self.config.nonce_good_for),
        };
        let mut status = Status::of(Code::Challenge);
        status.challenge = Some(Box::new(challenge));
        Ok(status.into())
    }

    fn is_on(&self, scheme: &SchemeName) -> bool {
        scheme.as_str() == ARGON || self.historical(scheme).is_some()
    }

    fn historical(&self, scheme: &SchemeName) -> Option<HistoricalScheme> {
        let on = &self.config.historical_schemes;
        on.iter()
            .copied()
            .find(|known| known.as_str() == scheme.as_str())
    }

    /// The server's own proof, if the client's is right.
    fn check(
        &mut self,
        draft: &Draft<'_>,
        origin: Origin,
        login: &Login,
        proof: &Proof,
        known: &Known,
    ) -> Result<Option<String>, Refusal> {
        let (user, client) = (&login.user, &login.client);
        let who = WhoAsks {
            user,
            client,
            client_key: &known.client_key,
        };
        if !self.nonces.is_good(&proof.nonce, draft.now.wall, who) {
            return Err(Code::StaleNonce.into());
        }
        let credentials = &known.credentials;
        let is_right = if proof.scheme.as_str() == ARGON {
            check_proof(
                &proof.digest,
                &credentials.stored_key,
                &known.client_key,
                &proof.nonce,
                user,
                client,
            )
        } else if let Some(scheme) = self.historical(&proof.scheme) {
            let password = credentials.historical.get(&proof.scheme);
            check_historical(
                &proof.digest,
                scheme,
                password.map(String::as_str),
                &known.client_key,
                &proof.nonce,
            )
        } else {
            return Err(Status::of(Code::NoCommonScheme).at("proof").into());
        };
        if !(is_right & known.is_real) {
            self.refused_sign_ins += 1;
            self.slow_accounts.wrong(user, draft.now.moment);
            self.slow_origins.wrong(&origin, draft.now.moment);
            return Err(Code::SignInRefused.into());
        }
        if !self.nonces.use_up(&proof.nonce, draft.now.wall) {
            return Err(Code::Overloaded.into());
        }
        self.slow_accounts.right(user);
        let is_modern = proof.scheme.as_str() == ARGON;
        Ok(is_modern.then(|| {
            let key = &credentials.server_key;
            server_proof(key, &known.client_key, &proof.nonce, user, client)
        }))
    }

    /// A new session.
    fn begin(
        &mut self,
        draft: &mut Draft<'_>,
        connection: ConnectionId,
        login: Login,
        server_proof: Option<String>,
    ) -> Answer {
        self.has_room(connection)?;
        self.make_room(draft, &login.user)?;
        let session = SessionId::new(draft.now.wall, self.chance.octets());
        let token = STANDARD.encode(self.chance.octets::<32>());
        let record = SessionRecord {
            user: login.user.clone(),
            client: login.client.clone(),
            point: login.point,
            token: token_digest(&token),
            made_at: draft.now.wall,
            accepts: login.accepts.clone(),
        };
        draft
            .changes
            .push(Change::Session(session, login.user.clone(), Some(record)));
        let head = draft.head(&login.user)?;
        let fed = login.position.unwrap_or(head.received);
        let log = state(head, fed);
        self.point_came(draft.now, session, &login.user, &login.client);
        let point = Point::new(
            login.user,
            connection,
            login.accepts,
            log.fed_from,
            Answers::default(),
            draft.now.moment,
        );
        draft.changes.push(mark(draft.now, session, &point));
        self.points.attach(session, point);
        draft.feed.push(session);
        Ok(SignedIn {
            session,
            token: Some(token),
            lapses_after_ms: as_ms(self.config.session_lapses_after),
            server_proof,
            log,
            now: draft.now.wall,
        }
        .into())
    }

    /// Whether a connection, and the service, take one more point.
    fn has_room(&self, connection: ConnectionId) -> Result<(), Refusal> {
        if super::known_sessions(&self.points, connection) >= MAX_SESSIONS_A_CONNECTION {
            let most = MAX_SESSIONS_A_CONNECTION as u64;
            let name = "max_sessions_a_connection";
            return Err(Refusal::limit(Code::TooManySessions, name, most));
        }
        if self.points.len() >= self.config.max_points as usize {
            let most = u64::from(self.config.max_points);
            return Err(Refusal::limit(Code::Overloaded, "max_points", most));
        }
        Ok(())
    }

    /// Ends what has lapsed of a user's sessions, and, if there are as many as are allowed, the one that was away longest.
    fn make_room(&self, draft: &mut Draft<'_>, user: &UserName) -> Result<(), Refusal> {
        let sessions = draft.shelf.sessions_of(user)?;
        let mut left = sessions.len();
        let mut away: Vec<(WallTime, SessionId)> = Vec::new();
        for (session, record) in sessions {
            if self.points.get(&session).is_some() {
                continue;
            }
            let seen_at = self.seen_at(draft, &session, &record)?;
            if draft.now.wall.since(seen_at) > self.config.session_lapses_after {
                draft
                    .changes
                    .push(Change::Session(session, user.clone(), None));
                left -= 1;
            } else {
                away.push((seen_at, session));
            }
        }
        let most = self.config.max_sessions as usize;
        if left < most {
            return Ok(());
        }
        let Some((_, longest_away)) = away.into_iter().min() else {
            return Err(Refusal::limit(
                Code::TooManySessions,
                "max_sessions",
                most as u64,
            ));
        };
        draft
            .changes
            .push(Change::Session(longest_away, user.clone(), None));
        Ok(())
    }

    fn seen_at(
        &self,
        draft: &Draft<'_>,
        session: &SessionId,
        record: &SessionRecord,
    ) -> Shelved<WallTime> {
        let mark = draft.shelf.confirmed(session)?;
        Ok(mark.map_or(record.made_at, |mark| mark.seen_at))
    }

    pub(super) fn resume(
        &mut self,
        draft: &mut Draft<'_>,
        connection: ConnectionId,
        origin: Origin,
        resume: Resume,
    ) -> Answer {
        self.is_in_time(draft, None, origin)?;
        let session = resume.session;
        let record = draft.shelf.session(&session)?;
        let right = record.as_ref().map_or(Key([0; 32]), |record| record.token);
        let is_right = is_same(&token_digest(&resume.token), &right);
        let Some(mut record) = record.filter(|_| is_right) else {
            self.slow_origins.wrong(&origin, draft.now.moment);
            return Err(Code::UnknownSession.into());
        };
        let user = record.user.clone();
        let is_open = draft.shelf.user(&user)?.is_some_and(|user| !user.is_shut);
        let kept = draft.shelf.confirmed(&session)?;
        let seen_at = kept.as_ref().map_or(record.made_at, |mark| mark.seen_at);
        let before = self.points.get(&session);
        let has_lapsed = draft.now.wall.since(seen_at) > self.config.session_lapses_after;
        if !is_open || (has_lapsed && before.is_none()) {
            return Err(Code::UnknownSession.into());
        }
        let confirmed = match before {
            Some(point) => point.confirmed,
            None => kept.map_or(Position::START, |mark| mark.confirmed),
        };
        let is_here = before.is_some_and(|point| point.connection == connection);
        if !is_here {
            self.has_room(connection)?;
        }
        if resume.accepts.is_some() && resume.accepts != record.accepts {
            record.accepts.clone_from(&resume.accepts);
            draft
                .changes
                .push(Change::Session(session, user.clone(), Some(record.clone())));
        }
        let answers = Answers::from_kept(draft.shelf.remembered(&session)?);
        let head = draft.head(&user)?;
        let log = state(head, resume.position.unwrap_or(confirmed));
        let moment = draft.now.moment;
        let point = Point::new(
            user,
            connection,
            record.accepts,
            log.fed_from,
            answers,
            moment,
        );
        draft.changes.push(mark(draft.now, session, &point));
        self.point_came(draft.now, session, &point.user, &record.client);
        // A connection that has lost its last session to another one is of no use any more.
        if let Some((gone, is_last)) = self.points.detach(session)
            && is_last
            && gone.connection != connection
        {
            draft.closes.push(gone.connection);
        }
        self.points.attach(session, point);
        draft.feed.push(session);
        Ok(SignedIn {
            session,
            token: None,
            lapses_after_ms: as_ms(self.config.session_lapses_after),
            server_proof: None,
            log,
            now: draft.now.wall,
        }
        .into())
    }

    pub(super) fn logout(&self, draft: &mut Draft<'_>, caller: &Caller) -> Answer {
        if let Some(session) = caller.session {
            draft
                .changes
                .push(Change::Session(session, caller.user.clone(), None));
            draft.ended.push(session);
        }
        Ok(Status::done().into())
    }
}

/// The log as a point sees it that has everything up to a position.
fn state(head: crate::im::log::LogHead, has: Position) -> LogState {
    LogState {
        first: head.first(),
        last: head.last,
        read: head.read,
        fed_from: has.clamp(head.trimmed, head.last),
    }
}

fn as_ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
