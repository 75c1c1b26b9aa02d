# What an operator sets up for dirsyncd: an account, and a custom field for the mark of people, of groups and of tickets.
# "Remark" is a field of other people's.
our @Users = ({ Name => 'sync', Password => 'rt-secret-6c1d', RealName => 'Directory', Privileged => 1 });
our @CustomFields = (
    { Name => 'dirsync', Type => 'FreeformSingle', LookupType => 'RT::User',  ApplyTo => 0 },
    { Name => 'dirsync', Type => 'FreeformSingle', LookupType => 'RT::Group', ApplyTo => 0 },
    { Name => 'dirsync', Type => 'FreeformSingle', LookupType => 'RT::Queue-RT::Ticket', ApplyTo => 0 },
    { Name => 'Remark',  Type => 'FreeformSingle', LookupType => 'RT::User',  ApplyTo => 0 },
);
our @ACL = ({ UserId => 'sync', Right => 'SuperUser' });
1;
