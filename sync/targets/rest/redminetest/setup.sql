-- What an operator sets up for dirsyncd: the REST API, a key, and a custom field for the mark of people, of groups and of issues, and a project.
-- "Remark" is a field of other people's.
INSERT INTO settings (name, value, updated_on) VALUES ('rest_api_enabled', '1', '2026-01-01');
UPDATE users SET must_change_passwd = 0 WHERE login = 'admin';
INSERT INTO tokens (user_id, action, value, created_on, updated_on)
  SELECT id, 'api', '0fa11cadec0de0fa11cadec0de0fa11cadec0de0', '2026-01-01', '2026-01-01' FROM users WHERE login = 'admin';
INSERT INTO custom_fields (id, type, name, field_format, is_filter, position, searchable, format_store, description, default_value) VALUES
  (1, 'UserCustomField', 'Remark', 'string', 0, 1, 0, '--- {}', '', ''),
  (2, 'UserCustomField', 'dirsync', 'string', 1, 2, 1, '--- {}', '', ''),
  (3, 'GroupCustomField', 'dirsync', 'string', 1, 1, 1, '--- {}', '', '');
INSERT INTO custom_fields (id, type, name, field_format, is_filter, is_for_all, position, searchable, format_store, description, default_value) VALUES
  (4, 'IssueCustomField', 'dirsync', 'string', 1, 1, 1, 1, '--- {}', '', '');
INSERT INTO issue_statuses (id, name, is_closed, position) VALUES (1, 'New', 0, 1);
INSERT INTO trackers (id, name, position, default_status_id) VALUES (1, 'Task', 1, 1);
INSERT INTO custom_fields_trackers (custom_field_id, tracker_id) VALUES (4, 1);
INSERT INTO enumerations (id, name, position, is_default, type, active) VALUES (51, 'Normal', 1, 1, 'IssuePriority', 1);
INSERT INTO projects (id, name, identifier, description, homepage, is_public, status, lft, rgt, created_on, updated_on)
  VALUES (1, 'Starters', 'starters', '', '', 0, 1, 1, 2, '2026-01-01', '2026-01-01');
INSERT INTO projects_trackers (project_id, tracker_id) VALUES (1, 1);
INSERT INTO enabled_modules (project_id, name) VALUES (1, 'issue_tracking');
