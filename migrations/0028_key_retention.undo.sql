DELETE FROM retention_policies WHERE subject = 'api_keys';
