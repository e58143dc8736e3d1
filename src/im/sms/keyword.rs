//! The commands, by their keywords.

macro_rules! keywords {
    ($($(#[doc = $doc:literal])* $keyword:ident $key:literal;)*) => {
        /// A command. What calls it stands in the language files.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Keyword {
            $($(#[doc = $doc])* $keyword,)*
        }

        impl Keyword {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$keyword),*];

            /// Its key in a language file.
            pub const fn key(self) -> &'static str {
                match self { $(Self::$keyword => $key,)* }
            }
        }
    };
}

keywords! {
    /// What can be done, or how one thing is.
    Help "help";
    /// To a person or a group.
    Send "send";
    /// Who is online.
    Who "who";
    /// Who the buddies are.
    Buddies "buddies";
    /// Another buddy.
    Add "add";
    /// One buddy less.
    Remove "remove";
    /// To hear nothing of somebody.
    Block "block";
    /// To hear of somebody again.
    Unblock "unblock";
    /// Somebody may see the user.
    Allow "allow";
    /// Somebody may not, or no longer.
    Deny "deny";
    /// What others see.
    Status "status";
    /// Into a group.
    Join "join";
    /// Out of a group.
    Leave "leave";
    /// The groups.
    Groups "groups";
    /// Messages come.
    SignIn "sign-in";
    /// Messages wait.
    SignOut "sign-out";
    /// In which language the service answers.
    Language "language";
    /// No message comes any more.
    Stop "stop";
    /// They come again.
    Start "start";
}

impl Keyword {
    /// Whether something follows it, or may.
    pub const fn takes_words(self) -> bool {
        matches!(
            self,
            Self::Help
                | Self::Send
                | Self::Add
                | Self::Remove
                | Self::Block
                | Self::Unblock
                | Self::Allow
                | Self::Deny
                | Self::Status
                | Self::Join
                | Self::Leave
                | Self::Language
        )
    }

    /// What carriers demand to be understood in every language: how a phone says that it wants nothing more, that it
    /// does, or that it needs help.
    pub const fn universal(self) -> &'static [&'static str] {
        match self {
            Self::Stop => &[
                "stop",
                "stopall",
                "stop all",
                "unsubscribe",
                "cancel",
                "end",
                "quit",
            ],
            Self::Start => &["start", "unstop"],
            Self::Help => &["help", "info"],
            _ => &[],
        }
    }
}
