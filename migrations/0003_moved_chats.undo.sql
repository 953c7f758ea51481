DROP TABLE moved_chats;
