//! Content that a group shares (P14): stored and read in chunks, which go straight to the store and come from there.

use super::draft::{Answer, Draft, Refusal};
use super::groups::{Membership, membership};
use super::{Caller, Service};
use crate::im::chance::Chance;
use crate::im::change::Change;
use crate::im::effects::Now;
use crate::im::limits::{MAX_CHUNK, MAX_NAMES, MAX_PAGE};
use crate::im::log::{Entry, Logged};
use crate::im::names::{ContentName, GroupName, UploadId};
use crate::im::primitive::{
    BeginContent, ContentChunk, ContentDescription, ContentInfo, ContentTaken, DeleteContent,
    GetContent, GetContentInfo, Octets, ReceiveContent, Rights, Role, Status, StoreContent, Who,
};
use crate::im::record::{ContentRecord, ContentUse, Members, UploadRecord, WhoRecord};
use crate::im::shelf::{Shelf, Shelved};
use crate::im::status::Code;
use crate::message::UserName;

/// How many unfinished pieces are cleared away at a time.
const MOST_LAPSED: usize = 100;

const CHUNK: u32 = MAX_CHUNK as u32;

impl Service {
    /// What was begun too long ago and never finished.
    pub(super) fn lapsed_uploads(&self, now: Now, shelf: &dyn Shelf) -> Shelved<Vec<Change>> {
        let good_for = u64::try_from(self.config.content.upload_good_for.as_millis());
        let good_for = good_for.unwrap_or(u64::MAX);
        let before = now.wall.as_unix_ms().saturating_sub(good_for);
        let before = crate::clock::WallTime::from_unix_ms(before);
        let lapsed = shelf.uploads_before(before, MOST_LAPSED)?;
        Ok(lapsed
            .into_iter()
            .map(|upload| Change::Upload(upload, None))
            .collect())
    }
}

/// Whether a member may do what needs one of these.
fn may(role: Role, user: &UserName, author: &UserName, who: &WhoRecord) -> bool {
    if user == author || role == Role::Owner {
        return true;
    }
    match who {
        WhoRecord::Members => true,
        WhoRecord::Moderators => role >= Role::Moderator,
        WhoRecord::Author => false,
        WhoRecord::Only(users) => users.contains(user),
    }
}

fn kept_who(members: &Members, who: Who) -> Result<WhoRecord, Refusal> {
    Ok(match who {
        Who::Members => WhoRecord::Members,
        Who::Moderators => WhoRecord::Moderators,
        Who::Author => WhoRecord::Author,
        Who::Only(names) => {
            if names.len() > MAX_NAMES {
                return Err(Status::bad_element("begin", "names too many members").into());
            }
            let users: Option<Vec<UserName>> = names
                .iter()
                .map(|name| members.called(name).map(|(user, _)| user.clone()))
                .collect();
            WhoRecord::Only(users.ok_or_else(|| Status::of(Code::UnknownMember).at("begin"))?)
        }
    })
}

fn told_who(members: &Members, who: &WhoRecord) -> Who {
    match who {
        WhoRecord::Members => Who::Members,
        WhoRecord::Moderators => Who::Moderators,
        WhoRecord::Author => Who::Author,
        WhoRecord::Only(users) => Who::Only(
            users
                .iter()
                .filter_map(|user| members.get(user).map(|member| member.name.clone()))
                .collect(),
        ),
    }
}

fn describe(
    members: &Members,
    name: ContentName,
    version: UploadId,
    record: &ContentRecord,
) -> ContentDescription {
    ContentDescription {
        name,
        kind: record.kind.clone(),
        size: record.size,
        author: members
            .get(&record.author)
            .map(|member| member.name.clone()),
        stored_at: record.stored_at,
        version,
        rights: Rights {
            read: told_who(members, &record.read),
            change: told_who(members, &record.change),
        },
    }
}

pub(super) fn store(
    draft: &mut Draft<'_>,
    caller: &Caller,
    chance: &mut Chance,
    store: StoreContent,
) -> Answer {
    match store {
        StoreContent::Begin(begin) => self::begin(draft, caller, chance, begin),
        StoreContent::Chunk(chunk) => self::chunk(draft, caller, chunk),
    }
}

fn begin(
    draft: &mut Draft<'_>,
    caller: &Caller,
    chance: &mut Chance,
    begin: BeginContent,
) -> Answer {
    let membership = membership(draft, caller, &begin.group)?;
    let limits = &draft.config.content;
    if begin.size > limits.max_size {
        return Err(Refusal::limit(
            Code::ContentTooLarge,
            "content.max_size",
            limits.max_size,
        ));
    }
    let most = limits.max_uploads;
    let under_way = draft.shelf.uploads_of(&caller.user, most as usize)?;
    if under_way.len() >= most as usize {
        return Err(Refusal::limit(
            Code::QuotaFull,
            "content.max_uploads",
            u64::from(most),
        ));
    }
    let before = draft.shelf.content(&begin.group, &begin.name)?;
    if let Some((_, record)) = &before
        && !may(
            membership.own.role,
            &caller.user,
            &record.author,
            &record.change,
        )
    {
        return Err(Code::NotPermitted.into());
    }
    check_quota(
        draft,
        &begin.group,
        begin.size,
        before.as_ref().map(|(_, record)| record),
    )?;
    let (read, change) = match (begin.rights, &before) {
        (Some(rights), _) => (
            kept_who(&membership.members, rights.read)?,
            kept_who(&membership.members, rights.change)?,
        ),
        (None, Some((_, record))) => (record.read.clone(), record.change.clone()),
        (None, None) => (WhoRecord::Members, WhoRecord::Moderators),
    };
    let upload = UploadId::new(draft.now.wall, chance.octets());
    let content = ContentRecord {
        kind: begin.kind,
        size: begin.size,
        chunk: CHUNK,
        author: caller.user.clone(),
        stored_at: draft.now.wall,
        read,
        change,
    };
    let record = UploadRecord {
        group: begin.group,
        name: begin.name,
        content,
    };
    if record.content.size == 0 {
        // There is nothing to wait for.
        return complete(draft, membership, upload, record);
    }
    draft.changes.push(Change::Upload(upload, Some(record)));
    Ok(taken(upload, 0, false))
}

fn taken(upload: UploadId, offset: u64, complete: bool) -> super::Reply {
    ContentTaken {
        upload,
        offset,
        chunk: CHUNK,
        complete,
    }
    .into()
}

/// Refuses what would be more than a group may have, with what it replaces taken off.
fn check_quota(
    draft: &Draft<'_>,
    group: &GroupName,
    size: u64,
    replaced: Option<&ContentRecord>,
) -> Result<(), Refusal> {
    let limits = &draft.config.content;
    let ContentUse { pieces, octets } = draft.shelf.content_use(group)?;
    let octets = octets.saturating_sub(replaced.map_or(0, |record| record.size));
    if octets.saturating_add(size) > limits.max_total {
        return Err(Refusal::limit(
            Code::QuotaFull,
            "content.max_total",
            limits.max_total,
        ));
    }
    if replaced.is_none() && pieces >= limits.max_pieces {
        return Err(Refusal::limit(
            Code::QuotaFull,
            "content.max_pieces",
            limits.max_pieces,
        ));
    }
    Ok(())
}

fn chunk(draft: &mut Draft<'_>, caller: &Caller, chunk: ContentChunk) -> Answer {
    let record = draft.shelf.upload(&chunk.upload)?;
    let Some(record) = record.filter(|record| record.content.author == caller.user) else {
        return Err(Status::of(Code::UnknownUpload).at("chunk").into());
    };
    let number = draft.shelf.chunks(&chunk.upload)?;
    let offset = u64::from(number) * u64::from(record.content.chunk);
    let rest = record.content.size.saturating_sub(offset);
    let data = chunk.data.0;
    let expected = rest.min(u64::from(record.content.chunk));
    if chunk.offset != offset {
        let mut status = Status::of(Code::WrongOffset).at("chunk");
        status.offset = Some(offset);
        return Err(status.into());
    }
    if data.len() as u64 != expected {
        let why = format!("has {} octets; {expected} belong here", data.len());
        return Err(Status::bad_element("chunk", &why).into());
    }
    draft
        .changes
        .push(Change::Chunk(chunk.upload, number, data));
    if expected < rest {
        return Ok(taken(chunk.upload, offset + expected, false));
    }
    let membership = membership(draft, caller, &record.group)?;
    complete(draft, membership, chunk.upload, record)
}

/// The last chunk is there: the piece takes its place.
fn complete(
    draft: &mut Draft<'_>,
    membership: Membership,
    upload: UploadId,
    record: UploadRecord,
) -> Answer {
    let UploadRecord {
        group,
        name,
        mut content,
    } = record;
    // Others may have stored something meanwhile.
    let before = draft.shelf.content(&group, &name)?;
    if let Some((_, record)) = &before
        && !may(
            membership.own.role,
            &content.author,
            &record.author,
            &record.change,
        )
    {
        return Err(Code::NotPermitted.into());
    }
    check_quota(
        draft,
        &group,
        content.size,
        before.as_ref().map(|(_, record)| record),
    )?;
    content.stored_at = draft.now.wall;
    let size = content.size;
    let description = describe(&membership.members, name.clone(), upload, &content);
    tell(
        draft,
        &membership,
        &group,
        &content,
        vec![description],
        Vec::new(),
    )?;
    draft
        .changes
        .push(Change::Content(group, name, Some((upload, content))));
    draft.changes.push(Change::Upload(upload, None));
    Ok(taken(upload, size, true))
}

/// Tells all members who may read it.
fn tell(
    draft: &mut Draft<'_>,
    membership: &Membership,
    group: &GroupName,
    content: &ContentRecord,
    contents: Vec<ContentDescription>,
    deleted: Vec<ContentName>,
) -> Shelved<()> {
    let told = ContentInfo {
        group: group.clone(),
        contents,
        deleted,
        after: None,
    };
    let entry = Entry::new(draft.now.wall, Logged::ContentInfo(told));
    for (user, member) in membership.members.iter() {
        if may(member.role, user, &content.author, &content.read) {
            draft.append(user, &entry, None)?;
        }
    }
    Ok(())
}

pub(super) fn get_info(draft: &Draft<'_>, caller: &Caller, get: GetContentInfo) -> Answer {
    let membership = membership(draft, caller, &get.group)?;
    let members = &membership.members;
    let sees = |record: &ContentRecord| {
        may(
            membership.own.role,
            &caller.user,
            &record.author,
            &record.read,
        )
    };
    let mut info = ContentInfo {
        group: get.group.clone(),
        contents: Vec::new(),
        deleted: Vec::new(),
        after: None,
    };
    if let Some(name) = get.name {
        let found = draft.shelf.content(&get.group, &name)?;
        let Some((version, record)) = found.filter(|(_, record)| sees(record)) else {
            return Err(Status::of(Code::UnknownContent).at("name").into());
        };
        info.contents
            .push(describe(members, name, version, &record));
        return Ok(info.into());
    }
    // Until a page is full of what the asker sees, so that none ends at a name that is not for it. A group has few pieces.
    let mut after = get.after;
    loop {
        let page = draft.shelf.contents(&get.group, after.as_ref(), MAX_PAGE)?;
        let is_last = page.len() < MAX_PAGE;
        after = page.last().map(|(name, _, _)| name.clone());
        for (name, version, record) in page {
            if sees(&record) {
                if info.contents.len() == MAX_PAGE {
                    info.after = info.contents.last().map(|last| last.name.clone());
                    return Ok(info.into());
                }
                info.contents
                    .push(describe(members, name, version, &record));
            }
        }
        if is_last {
            return Ok(info.into());
        }
    }
}

pub(super) fn get(draft: &Draft<'_>, caller: &Caller, get: GetContent) -> Answer {
    let membership = membership(draft, caller, &get.group)?;
    let found = draft.shelf.content(&get.group, &get.name)?;
    let unknown = || Status::of(Code::UnknownContent).at("name");
    let (version, record) = found
        .filter(|(_, record)| {
            may(
                membership.own.role,
                &caller.user,
                &record.author,
                &record.read,
            )
        })
        .ok_or_else(unknown)?;
    if get.version.is_some_and(|wanted| wanted != version) {
        return Err(Status::of(Code::UnknownContent).at("version").into());
    }
    let chunk = u64::from(record.chunk);
    let is_within = get.offset < record.size || (record.size == 0 && get.offset == 0);
    if !is_within || !get.offset.is_multiple_of(chunk) {
        return Err(Status::of(Code::WrongOffset).at("offset").into());
    }
    let number = u32::try_from(get.offset / chunk).unwrap_or(u32::MAX);
    let data = if record.size == 0 {
        bytes::Bytes::new()
    } else {
        draft.shelf.chunk(&version, number)?.ok_or_else(unknown)?
    };
    let end = get.offset + data.len() as u64;
    Ok(ReceiveContent {
        group: get.group,
        name: get.name,
        version,
        size: record.size,
        offset: get.offset,
        complete: end >= record.size,
        data: Octets(data),
    }
    .into())
}

pub(super) fn delete(draft: &mut Draft<'_>, caller: &Caller, delete: DeleteContent) -> Answer {
    let membership = membership(draft, caller, &delete.group)?;
    let found = draft.shelf.content(&delete.group, &delete.name)?;
    let sees = |record: &ContentRecord| {
        may(
            membership.own.role,
            &caller.user,
            &record.author,
            &record.read,
        )
    };
    let Some((_, record)) = found.filter(|(_, record)| sees(record)) else {
        return Err(Status::of(Code::UnknownContent).at("name").into());
    };
    if !may(
        membership.own.role,
        &caller.user,
        &record.author,
        &record.change,
    ) {
        return Err(Code::NotPermitted.into());
    }
    let gone = vec![delete.name.clone()];
    tell(draft, &membership, &delete.group, &record, Vec::new(), gone)?;
    draft
        .changes
        .push(Change::Content(delete.group, delete.name, None));
    Ok(Status::done().into())
}
