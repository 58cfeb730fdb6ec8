"""The full-screen chat: what a person sees and does; what is done stands below."""
