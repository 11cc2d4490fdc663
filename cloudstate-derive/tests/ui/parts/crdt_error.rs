impl CrdtEntity for Presence {
    type Error = Failure;
}
