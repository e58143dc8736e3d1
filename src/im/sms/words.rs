//! What the service says to phones, as a table: what each answer may name, and how long that can be. The words
//! themselves stand in the language files.

/// What an answer names. How long it may get is decided by `compose`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Place {
    /// A user, a phone, a nickname.
    Name,
    /// Another one.
    Other,
    /// A group.
    Group,
    /// A number of things.
    Count,
    /// Names with commas between; as many as fit, then how many more.
    List,
    /// What the phone wrote.
    Word,
    /// A command.
    Command,
    /// What somebody says of itself.
    Status,
    /// A code to type.
    Code,
}

impl Place {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::Name,
        Self::Other,
        Self::Group,
        Self::Count,
        Self::List,
        Self::Word,
        Self::Command,
        Self::Status,
        Self::Code,
    ];

    /// As it is written in a language file, in braces.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Other => "other",
            Self::Group => "group",
            Self::Count => "count",
            Self::List => "list",
            Self::Word => "word",
            Self::Command => "command",
            Self::Status => "status",
            Self::Code => "code",
        }
    }
}

macro_rules! sayings {
    ($($(#[doc = $doc:literal])* $say:ident $key:literal [$($place:ident),*];)*) => {
        /// Something that the service says to a phone.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Say {
            $($(#[doc = $doc])* $say,)*
        }

        impl Say {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$say),*];

            /// Its key in a language file.
            pub const fn key(self) -> &'static str {
                match self { $(Self::$say => $key,)* }
            }

            /// What it may name.
            pub const fn places(self) -> &'static [Place] {
                match self { $(Self::$say => &[$(Place::$place),*],)* }
            }
        }
    };
}

sayings! {
    /// All commands, in short.
    Help "help" [];
    /// There is no such command.
    Unknown "unknown" [Word];
    /// There is no such command, but one that looks like it.
    UnknownNear "unknown-near" [Word, Command];
    /// A message went to somebody who may not be meant.
    SentTo "sent-to" [Name];
    /// The same, and it may have been meant as a command.
    SentNear "sent-near" [Name, Command];
    /// A message went to somebody, while the phone is signed out.
    SentWhileOut "sent-while-out" [Name];
    /// Not passed on either: how it would have been.
    NotSentTo "not-sent-to" [Name];
    /// Nobody has written yet.
    Nobody "nobody" [];
    /// The number that was written to leads to nobody.
    NobodyHere "nobody-here" [];
    /// There was no text.
    Empty "empty" [];
    /// A message cannot be delivered.
    NotDelivered "not-delivered" [Name];
    /// Too many messages wait for its recipient.
    RecipientFull "recipient-full" [Name];
    /// A text begins with a name: it may be for that one, or for who wrote last.
    ForWhom "for-whom" [Name, Other];
    /// There is nobody of this name.
    UnknownName "unknown-name" [Word];
    /// There is nobody of this name, but a buddy of one that looks like it.
    UnknownNameNear "unknown-name-near" [Word, Name];
    /// Who is online.
    Online "online" [Count, List];
    /// None of the buddies is.
    NobodyOnline "nobody-online" [Count];
    /// There are no buddies.
    NoBuddies "no-buddies" [];
    /// The buddies.
    Buddies "buddies" [Count, List];
    /// Somebody is a buddy now.
    Added "added" [Name];
    /// The same, under a name that the phone gave.
    AddedAs "added-as" [Name, Other];
    /// There are as many buddies as are allowed.
    BuddiesFull "buddies-full" [];
    /// Somebody is a buddy no longer.
    Removed "removed" [Name];
    /// Somebody was no buddy.
    NotABuddy "not-a-buddy" [Word];
    /// Somebody wants to see the phone's user, which may allow it or not.
    Asked "asked" [Name];
    /// Several do.
    Asking "asking" [Count, List];
    /// Nobody does.
    NobodyAsks "nobody-asks" [];
    /// Somebody sees the user from now on.
    Allowed "allowed" [Name];
    /// Somebody does not, or no longer.
    Denied "denied" [Name];
    /// Nothing is heard of somebody any more.
    Blocked "blocked" [Name];
    /// Somebody is heard again.
    Unblocked "unblocked" [Name];
    /// As many are blocked as are allowed.
    BlocksFull "blocks-full" [];
    /// Signed in.
    SignedIn "signed-in" [];
    /// Signed in; messages follow, and so many more wait.
    SignedInWaiting "signed-in-waiting" [Count];
    /// Signed out.
    SignedOut "signed-out" [];
    /// How others see the phone's user now.
    StatusIs "status-is" [Status];
    /// The user says nothing of itself.
    StatusNone "status-none" [];
    /// The status was not taken.
    StatusRefused "status-refused" [];
    /// In a group.
    Joined "joined" [Group];
    /// There is no such group to join.
    UnknownGroup "unknown-group" [Word];
    /// The group takes no more members.
    GroupFull "group-full" [Group];
    /// As many groups as are allowed.
    GroupsFull "groups-full" [];
    /// The user's name is taken in the group.
    NameTaken "name-taken" [Group];
    /// In the group already.
    AlreadyIn "already-in" [Group];
    /// Out of a group.
    Left "left" [Group];
    /// Not in such a group.
    NotIn "not-in" [Word];
    /// Owners do not leave.
    OwnerStays "owner-stays" [Group];
    /// The groups.
    Groups "groups" [Count, List];
    /// There are no groups.
    NoGroups "no-groups" [];
    /// The phone is asked into a group.
    Invited "invited" [Name, Group];
    /// No more messages come.
    Stopped "stopped" [];
    /// They come again.
    Started "started" [];
    /// Not done, since the phone wants no messages.
    IsStopped "is-stopped" [];
    /// The language from now on.
    LanguageIs "language-is" [];
    /// There is no such language; these there are.
    UnknownLanguage "unknown-language" [List];
    /// Too many messages in a short time.
    TooFast "too-fast" [];
    /// The same text again and again: a machine answers.
    Repeated "repeated" [];
    /// Too many commands; from now on there is silence.
    Quiet "quiet" [];
    /// The text is too long.
    TooLong "too-long" [];
    /// It was not done, for a reason that is not the phone's.
    Failed "failed" [];
    /// The code that proves a phone.
    Code "code" [Code, Name];
}
