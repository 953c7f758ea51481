DELETE FROM retention_policies WHERE subject = 'reports';
DROP TABLE reports;
