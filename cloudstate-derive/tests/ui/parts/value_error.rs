impl ValueEntity for Profiles {
    type Error = Failure;
}
