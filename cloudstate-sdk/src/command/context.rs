use super::Metadata;

/// What is known about a command beside its payload.
///
/// The SDK makes one for each command; a test that calls a handler directly makes its own:
///
/// ```
/// use cloudstate_sdk::Context;
///
/// let context = Context::new("cart-1").with_sequence(7);
/// assert_eq!(context.entity_id(), "cart-1");
/// assert_eq!(context.sequence(), 7);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    pub(crate) entity_id: String,
    pub(crate) command_id: i64,
    pub(crate) command_name: String,
    pub(crate) sequence: u64,
    pub(crate) metadata: Metadata,
}

impl Context {
    /// The context of no particular command.
    pub fn new(entity_id: impl Into<String>) -> Self {
        Self { entity_id: entity_id.into(), ..Self::default() }
    }

    /// Sets the command's number on its stream.
    #[must_use]
    pub fn with_command_id(mut self, id: i64) -> Self {
        self.command_id = id;
        self
    }

    /// Sets the name of the rpc.
    #[must_use]
    pub fn with_command_name(mut self, name: impl Into<String>) -> Self {
        self.command_name = name.into();
        self
    }

    /// Sets the number of events before the command.
    #[must_use]
    pub fn with_sequence(mut self, sequence: u64) -> Self {
        self.sequence = sequence;
        self
    }

    /// Sets the metadata.
    #[must_use]
    pub fn with_metadata(mut self, metadata: Metadata) -> Self {
        self.metadata = metadata;
        self
    }

    /// Which entity this is. Empty in an action.
    pub fn entity_id(&self) -> &str {
        &self.entity_id
    }

    /// Numbers the command on its stream, for logs. 0 when an entity is being created.
    pub fn command_id(&self) -> i64 {
        self.command_id
    }

    /// The name of the rpc, for example `AddItem`. Empty when an entity is being created.
    pub fn command_name(&self) -> &str {
        &self.command_name
    }

    /// How many events the entity had before this command.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// What came with the command: to an action the headers of its request. To an entity this project's proxy sends the
    /// trace context of the call, if the client gave one, and the reference proxy nothing.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }
}
