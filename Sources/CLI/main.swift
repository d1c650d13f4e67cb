Millrace.main()
