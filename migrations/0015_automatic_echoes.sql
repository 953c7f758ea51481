-- Which messages a machine wrote in our name that is not our bot: of an application that the channel ignores, or at once
-- after the customer began to write. The latter tell whether the next one is a person's.
ALTER TABLE messages ADD COLUMN automatic text CHECK (automatic IN ('ignored_app', 'at_once'));
